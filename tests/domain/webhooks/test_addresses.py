"""Network addresses that messages may go to, and that they may not."""

from ipaddress import ip_network

import pytest

from batchapp.domain.webhooks.addresses import is_in, may_be_reached

PUBLIC = [
    *("8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1"),
    *("192.0.1.1", "198.17.0.1", "198.20.0.1", "223.255.255.255", "168.63.129.17"),
    *("2606:4700::1111", "2a00:1450:4001::1", "2001:4860:4860::8888"),
    *("::ffff:8.8.8.8", "64:ff9b::8.8.8.8"),  # what they wrap is public
]
REFUSED = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1"),
    *("127.255.255.255", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192"),
    *("192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.19.255.255"),
    *("198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1"),
    *("255.255.255.255", "168.63.129.16"),
    *("::", "::1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1"),
    *("2001:db8::1", "3fff::1", "100::1", "5f00::1", "4000::1"),
    # Each of these wraps an address that is refused by itself.
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1"),
    *("64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1"),
    *("2002:7f00:1::", "2002:a00:1::1", "2002:808:808::", "2001::7f00:1"),
    *("", "localhost", "1.2.3", "0x7f000001", "2130706433"),
]


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_reached(address: str) -> None:
    assert may_be_reached(address, [])


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_of_a_private_or_special_network_may_not_be_reached(address: str) -> None:
    assert not may_be_reached(address, [])


def test_the_operator_may_allow_a_private_network_and_thereby_no_other() -> None:
    networks = [ip_network("10.1.0.0/16"), ip_network("fd00::/64")]

    assert may_be_reached("10.1.2.3", networks)
    assert may_be_reached("::ffff:10.1.2.3", networks)
    assert may_be_reached("fd00::5", networks)
    assert not may_be_reached("10.2.0.1", networks)
    assert not may_be_reached("127.0.0.1", networks)
    assert is_in("10.1.2.3", networks)
    assert not is_in("8.8.8.8", networks)
