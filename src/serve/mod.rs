//! The doors: one listener for metrics, health and the landing page.
