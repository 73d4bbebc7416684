# SPDX-License-Identifier: Apache-2.0
# Inputs are in opts, and so is what Heat adds.
/tmp/{{ opts['bar'] }}:
  file.managed:
    - contents: {{ opts['foo'] | json }}

{{ opts['heat_outputs_path'] }}.result:
  file.managed:
    - contents: The file /tmp/{{ opts['bar'] }} contains {{ opts['foo'] }}
    - contents_newline: false
