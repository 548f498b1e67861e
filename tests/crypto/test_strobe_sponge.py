import pytest

from parahost.crypto.strobe_sponge import of_openssl, of_pycryptodome


def test_openssl_and_pycryptodome_squeeze_the_same() -> None:
    """Lengths around a block's end, in and out."""
    squeeze = of_openssl()
    if squeeze is None:
        pytest.skip("OpenSSL is older than 3 here")
    for absorbed in (0, 1, 167, 168, 169, 335, 336, 500):
        for length in (1, 32, 64, 166, 168, 169):
            data = bytes(number % 251 for number in range(absorbed))
            assert squeeze(data, length) == of_pycryptodome(data, length), (absorbed, length)


def test_an_older_openssl_has_no_such_sponge(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, **options: object) -> object:
        raise ValueError(f"unsupported hash type {name}")

    monkeypatch.setattr("hashlib.new", refuse)
    assert of_openssl() is None
