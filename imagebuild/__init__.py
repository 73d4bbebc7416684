# SPDX-License-Identifier: Apache-2.0
"""What the commands that build images are made of: ./build-heat-image.sh and test-image/.

Standard library only, for it runs before anything is installed:

- agent_image, image_for_tests: the options of each command, and the recipe that they ask for
- command: what these two have in common
- recipe: which elements make the image, and where it goes
- distros: the distributions and releases, as distributions.json has them
- machine: what this machine is and may do (rights, disk, memory, mirrors, device-mapper)
- emulation: whether it runs another architecture's programs
- tools: diskimage-builder in a virtual environment, and the system packages it calls
- call: the words and the environment of disk-image-create
- build: one run of it, watched
- accounts: what is written beside an image: its checksum and its SBOM
- leftovers: the folders of a build, of which nothing is left
- sourcing: what files of environment.d set
- lock: a folder for one build at a time
- progress: its log, as a person wants to follow it

In the virtual environment that has diskimage-builder:

- resolve: what diskimage-builder makes of elements, their packages above all
- sbom: what an image is made of, as a CycloneDX document
- requirements: what the agents require, against test-image/elements and Debian's archive
"""
