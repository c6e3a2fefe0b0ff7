//! Host names as addresses, without the system's libraries.
//!
//! The shipped binary is static, and a static glibc cannot look a name up in an image that holds
//! nothing else. So `/etc/hosts` and `/etc/resolv.conf` are read here, and the servers that are named
//! there are asked: by UDP, and by TCP where an answer did not fit. Every look-up reads the files anew,
//! since a container's are often changed.
//!
//! `hosts`, `resolv_conf` and `message` understand the files and the answers; `lookup` touches.

mod hosts;
pub mod lookup;
mod message;
mod resolv_conf;
