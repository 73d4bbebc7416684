# SPDX-License-Identifier: Apache-2.0
file { 'greeting':
  ensure  => file,
  path    => "/tmp/puppet-${facts['target']}",
  mode    => '0644',
  content => $facts['greeting'],
}
file { 'result':
  ensure  => file,
  path    => "${facts['heat_outputs_path']}.result",
  mode    => '0600',
  content => "${facts['greeting']} in /tmp/puppet-${facts['target']} of ${facts['deploy_server_id']} at ${facts['deploy_action']}",
}
