# SPDX-License-Identifier: Apache-2.0
"""Sphinx: the READMEs of the project, its folders and its elements; the release notes."""

project = 'heat-software-config'
copyright = 'the heat-software-config contributors'
extensions = ['reno.sphinxext']
# Links lead to the folders themselves: what is not a README there is no page.
exclude_patterns = ['elements/*/*/**', 'test-image/elements/*/*/**']
html_theme = 'furo'
html_title = 'Heat software-deployment agent'
