# SPDX-License-Identifier: Apache-2.0
"""Sphinx: the README, a page for each element (its README), CONTRIBUTING, the release notes."""

project = 'heat-templates'
copyright = 'the heat-templates contributors'
extensions = ['reno.sphinxext']
# elements is a link to the elements themselves: what is not a README there is no page.
exclude_patterns = ['elements/*/*/**']
html_theme = 'furo'
html_title = 'Heat software-deployment agent'
