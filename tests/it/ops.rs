//! Running Chappe on hosts of one's own: the real scripts and the real commands of `infra/`.

mod backup;
mod compose;
mod files;
mod house;
mod watch;
