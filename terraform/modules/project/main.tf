# What must be switched on in the project before anything else.

resource "google_project_service" "this" {
  for_each = var.services

  project = var.project_id
  service = each.key
  # Others may use it too; switching it off is nobody's side effect.
  disable_on_destroy = false
}

# Google's agents come into being with their first use; grants to them need
# them earlier.
resource "google_project_service_identity" "this" {
  provider = google-beta
  for_each = var.agents

  project = var.project_id
  service = each.key

  depends_on = [google_project_service.this]
}
