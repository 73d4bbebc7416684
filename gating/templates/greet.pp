# SPDX-License-Identifier: Apache-2.0
$path = "/tmp/puppet-${facts['target']}"
$where = "${facts['deploy_server_id']} at ${facts['deploy_action']}"
file { 'greeting':
  ensure  => file,
  path    => $path,
  mode    => '0644',
  content => $facts['greeting'],
}
file { 'result':
  ensure  => file,
  path    => "${facts['heat_outputs_path']}.result",
  mode    => '0600',
  content => "${facts['greeting']} in ${path} of ${where}",
}
