# SPDX-License-Identifier: Apache-2.0
"""Get what a deployment names by its address: files, archives and git repositories.

CAs and proxies are those of heat_http, for programs that fetch for themselves, too.
"""

import os
import shutil
import tempfile

import heat_http
from heat_hook import (
    BAD_DATA,
    HookError,
    Result,
    make_folder,
    program,
    run,
    write_file,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

TIMEOUT = 60  # seconds without a byte


def download(url: str, file: 'IO[bytes]') -> None:
    """Copy what is at a URL into a file, and go to its beginning.

    :raises HookError: when it cannot be had.
    """
    import http.client
    import urllib.error

    try:
        with heat_http.opener().open(url, timeout=TIMEOUT) as response:
            shutil.copyfileobj(response, file)
    # ValueError: it is no URL.
    except (OSError, ValueError, http.client.HTTPException) as error:
        proxy = heat_http.proxy_for(url)
        by = f' through the proxy {heat_http.without_password(proxy)}' if proxy else ''
        reason = getattr(error, 'reason', None)
        if not isinstance(error, urllib.error.HTTPError) and reason:
            raise HookError(f'{url} cannot be downloaded{by}: {reason}.')
        raise HookError(f'{url} cannot be downloaded{by}: {error}.')
    file.seek(0)


def unpack(archive: 'IO[bytes]', folder: str, url: str) -> None:
    """Unpack a tar or zip archive, whatever its name says.

    :param url: where it is from, for messages.
    :raises HookError: when it is no archive, or would leave the folder.
    """
    import tarfile
    import zipfile

    os.makedirs(folder, exist_ok=True)
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as files:
                for member in files.infolist():
                    path = files.extract(member, folder)
                    if member.external_attr >> 16:  # the mode, if a Unix made the archive
                        os.chmod(path, member.external_attr >> 16 & 0o777)
            return
        archive.seek(0)
        with tarfile.open(fileobj=archive) as tar:
            # Members that would leave the folder are refused where Python knows how to.
            if hasattr(tarfile, 'tar_filter'):
                tar.extractall(folder, filter='tar')
            else:
                tar.extractall(folder)
    except (EOFError, ValueError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise HookError(f'{url} cannot be unpacked into {folder}: {error}.')


def fetch(url: str, version: str, path: str, option: str = '') -> Result:
    """Bring a source, a git repository or an archive, to a folder.

    What was there before gives way to a complete new one only.

    :param url: of an archive if it ends as one (.tar, .tar.*, .tgz, .zip);
        everything else is for ``git clone``, also with ``git+`` before it.
    :param version: a branch, tag or commit of a git repository; '' for its default.
    :param path: the folder.
    :param option: by which it may be chosen, for messages.
    :returns: git's result, or a success.
    :raises HookError: when it cannot be fetched.
    """
    path = os.path.realpath(path)
    if os.path.isdir(path) and os.listdir(path) and not os.path.exists(mark(path)):
        raise HookError(
            f'{path} holds something that was not fetched, and is not removed for {url}: choose '
            + (f'another folder by the option {option}.' if option else 'another folder.')
        )
    make_folder(os.path.dirname(path))
    new = path + '.new'
    shutil.rmtree(new, ignore_errors=True)
    if is_archive(url):
        if version:
            raise HookError(f'{url} is an archive, which has no version to choose.', BAD_DATA)
        make_folder(new)
        with tempfile.TemporaryFile() as archive:
            download(url, archive)
            unpack(archive, new, url)
        make_folder(mark(new))
        result = Result()
    else:
        result = clone(url, version, new)
        if result.status_code:
            return result
    shutil.rmtree(path, ignore_errors=True)
    os.rename(new, path)
    return result


def mark(path: str) -> str:
    """What is there if the folder was fetched: git's own, or one of its name."""
    return os.path.join(path, '.git')


def is_archive(url: str) -> bool:
    name = url.split('?')[0].split('#')[0].lower()
    return name.endswith(('.tgz', '.zip', '.tar')) or '.tar.' in name.rpartition('/')[2]


def clone(url: str, version: str, path: str) -> Result:
    """Clone a git repository, and check a version of it out."""
    if url.startswith('git+'):
        url = url[len('git+') :]
    if version.startswith('-'):
        raise HookError(f'{version!r} is not a branch, tag or commit of git.', BAD_DATA)
    git = program('git', variable='HEAT_GIT_CMD')
    env = environment(os.path.dirname(path))
    result = run([git, 'clone', '--', url, path], env=env)
    if version and not result.status_code:
        checked_out = run([git, '-C', path, 'checkout', version, '--'], env=env)
        result.status_code = checked_out.status_code
        result.stdout += checked_out.stdout
        result.stderr += checked_out.stderr
    return result


def environment(folder: str) -> 'dict[str, str]':
    """Variables for programs that fetch for themselves, such as git and ansible-galaxy.

    :param folder: where the certificates of all trusted CAs may be written.
    """
    variables = {'GIT_TERMINAL_PROMPT': '0'}
    path = heat_http.only_ca()
    if not path and heat_http.agents_ca():
        path = os.path.join(folder, 'trusted-cas.pem')
        system = [name for name in heat_http.SYSTEM_BUNDLES if os.path.exists(name)][:1]
        certificates = []
        for name in [*system, heat_http.agents_ca()]:
            with open(name, 'rb') as file:
                certificates.append(file.read())
        make_folder(folder)
        write_file(path, b'\n'.join(certificates))
    if path:
        for name in ('GIT_SSL_CAINFO', 'REQUESTS_CA_BUNDLE', 'SSL_CERT_FILE'):
            variables[name] = path
    return variables
