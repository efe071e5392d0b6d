import stat

import pytest

from privacy import SigningKey
from privacy.secret_files import read_secret, write_secret


def test_a_secret_is_written_for_its_owner_alone_and_read_back(tmp_path):
    path = tmp_path / "keys" / "secret"
    write_secret(path, b"words")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_secret(path) == b"words"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o644])
def test_a_secret_that_others_may_reach_is_refused_with_the_way_out(tmp_path, mode):
    path = tmp_path / "secret"
    write_secret(path, b"words")
    path.chmod(mode)
    with pytest.raises(ValueError, match=f"mode is {mode:04o}; close it with 'chmod 600'"):
        read_secret(path)


def test_a_signing_key_that_others_may_reach_is_refused(tmp_path):
    SigningKey.generate().save(tmp_path / "site.pem")
    (tmp_path / "site.pem").chmod(0o640)
    with pytest.raises(ValueError, match="closed to others"):
        SigningKey.load(tmp_path / "site.pem")


def test_a_secret_is_never_written_over(tmp_path):
    write_secret(tmp_path / "secret", b"first")
    with pytest.raises(ValueError, match="never overwritten"):
        write_secret(tmp_path / "secret", b"second")
    assert read_secret(tmp_path / "secret") == b"first"
