//! Retry budgets.

use fetch_proto::{RetryBudget, RetryCost, RetryKind, RetryTokens, Timestamp};
use libtest_mimic::Failed;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::table;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BudgetCase {
    capacity: u32,
    retry_cost: u32,
    #[serde(default)]
    timeout_cost: u32,
    throttle_cost: u32,
    steps: Vec<BudgetStep>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum BudgetStep {
    Fail,
    FailLast,
    Forget,
    Succeed,
    Throttle,
    TimeOut,
}

pub(crate) fn aws(set: &str) -> Result<(), Failed> {
    table::run(set, include_str!("data/aws_token_bucket.json"), spend)
}

/// For each step, whether it is retried, and the remaining units.
fn spend(given: &BudgetCase) -> Value {
    let (now, mut paid) = (Timestamp::START, None);
    let mut tokens = RetryTokens::new(RetryBudget::Capacity {
        capacity: given.capacity,
        retry_cost: given.retry_cost,
        throttle_cost: given.throttle_cost,
        timeout_cost: given.timeout_cost,
    });
    let steps = given.steps.iter().map(|step| {
        let retried = match step {
            BudgetStep::Fail => retry(&mut tokens, RetryKind::Transient, &mut paid),
            BudgetStep::Throttle => retry(&mut tokens, RetryKind::Throttled, &mut paid),
            BudgetStep::TimeOut => retry(&mut tokens, RetryKind::Timeout, &mut paid),
            BudgetStep::FailLast => {
                tokens.record_failure(now);
                false
            }
            BudgetStep::Forget => {
                paid = None;
                false
            }
            BudgetStep::Succeed => {
                tokens.record_success(paid.take(), now);
                false
            }
        };
        json!([retried, units(&tokens, given)])
    });
    steps.collect()
}

fn retry(tokens: &mut RetryTokens, kind: RetryKind, paid: &mut Option<RetryCost>) -> bool {
    let cost = tokens.try_retry(kind, Timestamp::START);
    *paid = cost.or(*paid);
    cost.is_some()
}

/// The remaining units, measured in whole retries of one unit each.
fn units(tokens: &RetryTokens, given: &BudgetCase) -> u64 {
    let mut tokens = tokens.clone();
    tokens.set_config(RetryBudget::Capacity {
        capacity: given.capacity,
        retry_cost: 1,
        throttle_cost: 1,
        timeout_cost: 1,
    });
    tokens.available_retries(Timestamp::START)
}
