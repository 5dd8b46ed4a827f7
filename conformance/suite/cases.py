"""All cases of the differential comparison, by name."""

from .enrolment_cases import passkeys, software_token
from .pool_cases import pool_config
from .preference_cases import preference
from .user_cases import legacy_settings, reads

CASES = {
    case.name: case
    for case in preference() + reads() + legacy_settings() + software_token() + passkeys() + pool_config()
}
