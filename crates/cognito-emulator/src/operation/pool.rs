//! The operations on user pools: create, describe, list, delete.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::operation::call::{Call, Outcome, nothing};
use crate::operation::pool_mfa;
use crate::protocol::{Failure, timestamp};
use crate::random;
use crate::state::pool::{MfaConfiguration, MfaMode, Pool};

/// The region of a request without a signature; none gets this far.
const DEFAULT_REGION: &str = "us-east-1";

pub(super) fn create(call: &mut Call<'_>) -> Outcome {
    let region = call.region.unwrap_or(DEFAULT_REGION);
    let id = format!("{region}_{}", random::alphanumeric::<9>()?);
    let now = call.state.now();
    let mut settings = call.input.0.clone();
    settings.remove("MfaConfiguration");
    let mode = MfaMode::named(call.input.optional_text("MfaConfiguration"));
    let pool = Pool {
        id: id.clone(),
        region: region.to_owned(),
        created: now,
        modified: now,
        settings,
        mfa: MfaConfiguration { mode, ..MfaConfiguration::default() },
        clients: BTreeMap::new(),
        users: BTreeMap::new(),
    };
    pool_mfa::check_new_pool(&pool)?;
    let output = json!({ "UserPool": pool.description() });
    call.state.pools.insert(id, pool);
    Ok(output)
}

pub(super) fn describe(call: &mut Call<'_>) -> Outcome {
    Ok(json!({ "UserPool": call.pool()?.description() }))
}

pub(super) fn delete(call: &mut Call<'_>) -> Outcome {
    let pool = call.pool()?;
    if pool.settings().optional_text("DeletionProtection") == Some("ACTIVE") {
        return Err(Failure::invalid_parameter(
            "The user pool cannot be deleted because deletion protection is activated. \
             Deletion protection must be inactivated first.",
        ));
    }
    let id = pool.id.clone();
    call.state.pools.remove(&id);
    call.state.sessions.retain(|_, session| session.pool_id != id);
    Ok(nothing())
}

pub(super) fn list(call: &mut Call<'_>) -> Outcome {
    let most = call.input.integer("MaxResults").and_then(|most| usize::try_from(most).ok());
    let after = call.input.optional_text("NextToken");
    let region = call.region.unwrap_or(DEFAULT_REGION);
    if after.is_some_and(|after| !call.state.pools.contains_key(after)) {
        return Err(Failure::invalid_parameter("Invalid pagination token"));
    }
    let mut pools = call
        .state
        .pools
        .values()
        .filter(|pool| pool.region == region && after.is_none_or(|after| pool.id.as_str() > after));
    let page: Vec<&Pool> = pools.by_ref().take(most.unwrap_or(60)).collect();
    let entries: Vec<Value> = page
        .iter()
        .map(|pool| {
            json!({
                "Id": pool.id,
                "Name": pool.settings().optional_text("PoolName"),
                "LambdaConfig": {},
                "CreationDate": timestamp(pool.created),
                "LastModifiedDate": timestamp(pool.modified),
            })
        })
        .collect();
    let mut output = json!({ "UserPools": entries });
    if let (Some(last), true, Some(members)) = (page.last(), pools.next().is_some(), output.as_object_mut()) {
        members.insert("NextToken".to_owned(), Value::from(last.id.as_str()));
    }
    Ok(output)
}
