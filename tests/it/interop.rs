//! Programs that others wrote speak SMPP with ours, and Wireshark's dissector judges every octet that passed.
//!
//! `tests/interop` holds the scripts that run inside those programs, and says which versions are tested with what;
//! `infra/setup/interop.sh` installs them. Nothing here is skipped: a program that is missing fails its test.

mod capture;
mod customers;
mod encoder;
mod kannel;
mod operators;
mod pcap;
mod script;
mod simulator;
mod tls;
mod tools;
mod tshark;
