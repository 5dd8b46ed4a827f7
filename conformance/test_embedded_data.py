"""Restarts `mfagate dev` on a data file, and reads the embedded Cognito's state back with boto3."""

import pathlib

from suite import cognito, gate
from suite.account import ENABLED, PREFERRED, new_account
from suite.control import Control


def test_the_state_and_the_tokens_survive_a_restart(tmp_path: pathlib.Path) -> None:
    data = tmp_path / "state.json"
    with gate.running("dev", "--data", str(data)) as first:
        url = gate.embedded_url(first)
        account = new_account(cognito.client(url), Control(url))
        account.create_user()
        account.sign_in()
        account.enrol()
        account.prefer(SMSMfaSettings=PREFERRED, SoftwareTokenMfaSettings=ENABLED)
        before = account.must("AdminGetUser", **account.user)
        configuration = account.must("GetUserPoolMfaConfig", UserPoolId=account.pool_id)
    with gate.running("dev", "--data", str(data)) as second:
        url = gate.embedded_url(second)
        account.cognito, account.control = cognito.client(url), Control(url)
        assert account.must("AdminGetUser", **account.user) == before
        assert account.must("GetUserPoolMfaConfig", UserPoolId=account.pool_id) == configuration
        assert account.must("GetUser", AccessToken=account.access_token)["PreferredMfaSetting"] == "SMS_MFA"
        assert account.start()["ChallengeName"] == "SMS_MFA"


def test_the_state_is_lost_without_a_data_file() -> None:
    with gate.running("dev") as first:
        url = gate.embedded_url(first)
        pool_id = cognito.must(cognito.client(url), "CreateUserPool", PoolName="lost")["UserPool"]["Id"]
    with gate.running("dev") as second:
        url = gate.embedded_url(second)
        cognito.refused(cognito.client(url), "DescribeUserPool", "ResourceNotFoundException", UserPoolId=pool_id)


def test_the_demo_pool_is_the_one_of_awss_sample_requests() -> None:
    with gate.running("dev") as running:
        url = gate.embedded_url(running)
        user = cognito.must(cognito.client(url), "AdminGetUser", UserPoolId="us-west-2_EXAMPLE", Username="testuser")
        assert user["UserStatus"] == "CONFIRMED"
        configuration = cognito.must(cognito.client(url), "GetUserPoolMfaConfig", UserPoolId="us-west-2_EXAMPLE")
        assert configuration["MfaConfiguration"] == "OPTIONAL"
