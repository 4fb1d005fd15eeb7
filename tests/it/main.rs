//! Tests that need Docker, a registry or the whole program. Without Docker those that need it are
//! skipped and say so; `PLIMSOLL_REQUIRE_DOCKER=1` makes that a failure.

mod archive;
mod artefacts;
mod artefacts_page;
mod assert_files;
mod assert_image;
mod assert_lines;
mod assert_matrix;
mod assert_network;
mod assert_processes;
mod assert_services;
mod assert_shutdown;
mod budget;
mod convergence;
mod dcd;
mod distribution;
mod fault_kinds;
mod faults;
mod guards;
mod harness;
mod harness_definitions;
mod harness_handle;
mod harness_lifetimes;
mod harness_logs;
mod harness_no_engine;
mod harness_scopes;
mod harness_stack;
mod harness_testcontainers;
mod harness_waits;
mod image_configuration;
mod image_database;
mod image_http;
mod image_layouts;
mod image_queues;
mod image_tests;
mod image_volumes;
mod image_workers;
mod images;
mod killed;
mod layout;
mod login;
mod ocitag;
mod plan_file;
mod progress;
mod promote;
mod promotion;
mod promotion_budget;
mod promotion_faults;
mod readme;
mod readme_harness;
mod release;
mod route;
mod secrets;
mod seed;
mod serve;
mod service;
mod service_distribution;
mod service_nginx;
mod service_postgresql;
mod service_rabbitmq;
mod service_redis;
mod tidy;
mod truth;
mod wrong_input;

/// What the tests here return: any error ends one.
type TestResult = Result<(), Error>;

/// Anything that can go wrong in a test.
type Error = Box<dyn std::error::Error + Send + Sync>;
