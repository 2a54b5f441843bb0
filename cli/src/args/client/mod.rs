//! The options for how URLs are fetched.

mod auth;
mod body;
mod cache;
mod condition;
mod limits;
mod network;
mod request;
mod retry;
mod session;
mod upload;

pub(crate) use auth::AuthArgs;
pub(crate) use body::{BodyArgs, BodyPartKind};
pub(crate) use cache::{CacheArgs, CachePlace, cache_place};
pub(crate) use condition::ConditionArgs;
pub(crate) use limits::{LimitArgs, PolicyArgs, RobotsArgs, ThreadArgs};
pub(crate) use network::{NetworkArgs, RouteArgs};
pub(crate) use request::{RequestArgs, RequestDetailArgs};
pub(crate) use retry::{RetryArgs, RetryConditionArgs, RetryConditions, TimeoutArgs};
pub(crate) use session::SessionArgs;
pub(crate) use upload::{FormArgs, UploadArgs};
