# SPDX-License-Identifier: Apache-2.0
"""Sphinx: the pages here, the READMEs of folders and elements, the release notes."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

project = 'heat-software-config'
copyright = 'the heat-software-config contributors'
extensions = ['heat_docs', 'reno.sphinxext']
# Links lead to the folders themselves: what is not a README there is no page.
exclude_patterns = ['elements/*/*/**', 'test-image/elements/*/*/**']
nitpicky = True
html_theme = 'furo'
html_title = 'Heat software configuration'
html_copy_source = False
