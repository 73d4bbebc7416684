# SPDX-License-Identifier: Apache-2.0
$greeting_path = "/tmp/puppet-${facts['target']}"
$server_and_action = "${facts['deploy_server_id']} at ${facts['deploy_action']}"
file { 'greeting':
  ensure  => file,
  path    => $greeting_path,
  mode    => '0644',
  content => $facts['greeting'],
}
file { 'result':
  ensure  => file,
  path    => "${facts['heat_outputs_path']}.result",
  mode    => '0600',
  content => "${facts['greeting']} in ${greeting_path} of ${server_and_action}",
}
