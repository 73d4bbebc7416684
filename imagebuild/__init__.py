# SPDX-License-Identifier: Apache-2.0
"""What the commands that build images share: ./build-heat-image.sh and test-image/.

Standard library only, for it runs before anything is installed:

- recipe: which elements make the image, and where it goes
- distros: what differs between distributions
- machine: what this machine is and may do (rights, disk, memory, mirrors, device-mapper)
- tools: diskimage-builder in a virtual environment, and the system packages it calls
- build: one run of disk-image-create, watched, and cleaned up after
- lock: a folder for one build at a time
- progress: its log, as a person wants to follow it
"""
