# SPDX-License-Identifier: Apache-2.0
"""What the commands that build images are made of: ./build-heat-image.sh and test-image/.

Standard library only, for it runs before anything is installed:

- agent_image, test_image: the options of each command, and the recipe that they ask for
- command: what these two have in common
- recipe: which elements make the image, and where it goes
- distros: what differs between distributions
- machine: what this machine is and may do (rights, disk, memory, mirrors, device-mapper)
- tools: diskimage-builder in a virtual environment, and the system packages it calls
- build: one run of disk-image-create, watched, and cleaned up after
- environment: what files of environment.d set
- lock: a folder for one build at a time
- progress: its log, as a person wants to follow it

In the virtual environment that has diskimage-builder:

- resolve: what diskimage-builder makes of elements, their packages above all
- requirements: what the agents require, against test-image/elements and Debian's archive
"""
