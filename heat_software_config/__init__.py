# SPDX-License-Identifier: Apache-2.0
"""What is known about this project as a whole: its version, and where its parts lie."""
