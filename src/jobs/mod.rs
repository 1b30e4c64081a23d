//! Jobs: taken in, claimed, carried out, told about, and never lost.
//!
//! Owns: the job's states and rows, the queue, the workers. Never: HTTP, status codes, who may ask.
//! Used by: `http`, `app`.

pub mod admission;
mod change;
mod create;
pub mod error;
pub mod exec;
pub mod files;
pub mod hooks;
pub mod intake;
mod line;
pub mod live;
mod look;
pub mod model;
pub mod news;
pub mod order;
pub mod pool;
pub mod retention;
pub mod service;
pub mod settings;
pub mod store;
mod work;

pub use error::JobsError;
pub use exec::Executor;
pub use intake::{Incoming, Received};
pub use model::{Job, Status};
pub use order::{Given, Order};
pub use pool::Pool;
pub use service::Jobs;
pub use settings::Settings;
