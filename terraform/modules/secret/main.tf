# A secret without a value: values never pass through Terraform's state. They
# are added with `gcloud secrets versions add`.

resource "google_secret_manager_secret" "this" {
  project   = var.project_id
  secret_id = var.name

  annotations = {
    reason = var.reason
  }

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }
}
