//! Name and description are missing: one error.

imperal::extension! {
    app_id: "notes",
    icon: "icons/good.svg",
    capabilities: ["notes:read"],
}

fn main() {}
