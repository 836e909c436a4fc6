//! A short description (V14).

imperal::extension! {
    app_id: "notes",
    name: "Notebook",
    description: "Keeps notes.",
    icon: "icons/good.svg",
    capabilities: ["notes:read"],
}

fn main() {}
