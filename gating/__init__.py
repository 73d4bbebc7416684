# SPDX-License-Identifier: Apache-2.0
"""Trying changes of agents and of templates on a server that boots: what test-image's commands do.

- checkout: a git checkout as a wheel, with a version that pip takes
- pip_index: a folder of wheels as a package index, and its server
- pip_repo: test-image/build-pip-repo.sh
- functional_job: test-image/run-functional-job.sh
- scenario: what the functional job does in a cloud; the only part that needs localheat
"""
