output "pubsub_agent" {
  description = "Pub/Sub's own account, once it exists."
  value       = "serviceAccount:service-${var.project_number}@gcp-sa-pubsub.iam.gserviceaccount.com"
  depends_on  = [google_project_service_identity.this]
}
