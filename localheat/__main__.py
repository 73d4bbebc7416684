# SPDX-License-Identifier: Apache-2.0
import sys

from localheat import cli

sys.exit(cli.main())
