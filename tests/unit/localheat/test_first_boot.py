# SPDX-License-Identifier: Apache-2.0
"""The console of a server in a chroot says what of its user data is left out."""

from localheat.servers import first_boot
from tests import base
from tests.unit.localheat.test_user_data import message


class OmissionsTest(base.TestCase):
    def test_what_configures_a_machine_is_left_out_and_named(self):
        said = first_boot.omissions(
            b'#cloud-config\nntp: {enabled: true}\nmounts: []\nruncmd: []\n'
        )
        self.assertEqual(
            [
                "Left out in a chroot: mounts (cloud-init's module mounts).",
                "Left out in a chroot: ntp (cloud-init's module ntp).",
            ],
            said,
        )

    def test_it_is_found_in_each_part_of_a_message(self):
        said = first_boot.omissions(
            message(
                ('#!/bin/sh\n', 'script', 'x-shellscript'),
                ('#cloud-config\npower_state: {mode: reboot}\n', 'mine', 'cloud-config'),
            )
        )
        self.assertEqual(
            ["Left out in a chroot: power_state (cloud-init's module power_state_change)."], said
        )

    def test_a_script_that_starts_services_is_told_that_it_does_not(self):
        (said,) = first_boot.omissions(b'#!/bin/sh\nsystemctl start nginx\n')
        self.assertIn('no systemd', said)

    def test_nothing_is_said_of_user_data_that_a_chroot_carries_out(self):
        self.assertEqual([], first_boot.omissions(b'#cloud-config\nwrite_files: []\n'))

    def test_a_cloud_config_that_is_not_yaml_is_left_to_cloud_init(self):
        self.assertEqual([], first_boot.omissions(b'#cloud-config\n{'))


class SettingsTest(base.TestCase):
    def modules(self, text):
        """Return the modules of each stage, for an image with such a cloud.cfg."""
        (self.root / 'etc/cloud').mkdir(parents=True)
        (self.root / 'etc/cloud/cloud.cfg').write_text(text)
        settings = first_boot.settings(str(self.root))
        return {stage: settings[f'cloud_{stage}_modules'] for stage in ('init', 'config', 'final')}

    def test_the_images_own_modules_run_but_those_that_configure_a_machine(self):
        self.assertEqual(
            {'init': ['bootcmd', 'ca-certs'], 'config': [['runcmd', 'always']], 'final': []},
            self.modules(
                'cloud_init_modules: [bootcmd, growpart, ca-certs, disk-setup]\n'
                'cloud_config_modules: [[runcmd, always], ntp]\n'
                'cloud_final_modules: [power-state-change]\n'
            ),
        )

    def test_an_image_that_names_no_modules_has_the_usual_ones(self):
        self.assertIn('runcmd', self.modules('users: []\n')['config'])
