# SPDX-License-Identifier: Apache-2.0
# Inputs are facts, and so is what Heat adds.
file { "/tmp/${facts['bar']}":
  ensure  => file,
  content => "${facts['foo']}\n",
}

file { "${facts['heat_outputs_path']}.result":
  ensure  => file,
  content => "The file /tmp/${facts['bar']} contains ${facts['foo']}",
}
