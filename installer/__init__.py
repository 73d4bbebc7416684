# SPDX-License-Identifier: Apache-2.0
"""heat-agent-install: the agent and its hooks in one file, for systems that are there already."""
