# SPDX-License-Identifier: Apache-2.0
# What diskimage-builder's element fedora has to be told: its default release is gone, and since
# release 40 the image has another name than it looks for. build-heat-image.sh reads this, too.
# DNF 5 has no option -v, which diskimage-builder's default has.
export YUM_FLAGS=${YUM_FLAGS:--y}
# distributions: begin, written by imagebuild/update-tables: do not edit
export DIB_RELEASE=${DIB_RELEASE:-44}
case $DIB_RELEASE in
    42) image=42-1.1 ;;
    43) image=43-1.6 ;;
    44) image=44-1.7 ;;
    *) image= ;;
esac
# distributions: end
if [ -n "$image" ]; then
    case $ARCH in
        amd64) image+=.x86_64 ;;
        arm64) image+=.aarch64 ;;
        *) image+=.$ARCH ;;
    esac
    export BASE_IMAGE_FILE=${BASE_IMAGE_FILE:-Fedora-Cloud-Base-Generic-$image.qcow2}
fi
unset image
