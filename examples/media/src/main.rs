//! Makes the images of an article with an image service: a durable task, in which each image is one paid job and
//! one step.
//!
//! `create_media_brief` writes a package with a prompt for each image, `generate_media_package` makes the images that
//! it lacks, `regenerate_asset` makes one of them again. Packages are documents, images are files, the key is a secret.

mod brief;
mod generate;
mod image_api;
mod packages;
mod service;
mod store;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

imperal::extension! {
    app_id: "media",
    name: "Article images",
    description: "Makes the images of an article from a brief, keeps them, and goes on after a crash without paying twice.",
    icon: "icon.svg",
    capabilities: ["media:read", "media:write"],
    secrets: [store::KEY],
}

fn main() -> ExitCode {
    imperal::App::new().state(image_api::ImageApi::from_env()).run()
}
