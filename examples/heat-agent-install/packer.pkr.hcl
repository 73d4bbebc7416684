# SPDX-License-Identifier: Apache-2.0
# The agent in a cloud image, by Packer: in a folder with heat-agent-install,
#
#     packer init . && packer build -var image=debian-13-generic-amd64.qcow2 .

packer {
  required_plugins {
    qemu = {
      source  = "github.com/hashicorp/qemu"
      version = ">= 1.1.0"
    }
  }
}

variable "image" {
  type        = string
  description = "A cloud image with cloud-init and python3: a path or URL."
}

variable "image_checksum" {
  type    = string
  default = "none"
}

variable "hooks" {
  type        = string
  default     = ""
  description = "Hooks besides script, separated by commas."
}

source "qemu" "server" {
  iso_url      = var.image
  iso_checksum = var.image_checksum
  disk_image   = true
  headless     = true
  ssh_username = "packer"
  ssh_password = "packer"
  ssh_timeout  = "20m"
  # The user exists while the image is built only; see the last provisioner.
  cd_label = "cidata"
  cd_content = {
    "meta-data" = ""
    "user-data" = <<-EOT
      #cloud-config
      users:
        - name: packer
          plain_text_passwd: packer
          lock_passwd: false
          sudo: ALL=(ALL) NOPASSWD:ALL
          shell: /bin/bash
      ssh_pwauth: true
    EOT
  }
  shutdown_command = "sudo shutdown -P now"
}

build {
  sources = ["source.qemu.server"]

  provisioner "file" {
    source      = "heat-agent-install"
    destination = "/tmp/heat-agent-install"
  }

  provisioner "shell" {
    inline = [
      "cloud-init status --wait || true",
      "sudo python3 /tmp/heat-agent-install --no-start --hooks '${var.hooks}'",
      "rm /tmp/heat-agent-install",
      # Servers made from the image begin as new ones.
      "sudo cloud-init clean --logs",
      "sudo userdel --force packer",
    ]
  }
}
