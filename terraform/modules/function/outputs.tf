output "name" {
  description = "Name, once it is deployed."
  value       = google_cloudfunctions2_function.this.name
}

output "url" {
  description = "Address, once callers may use it."
  value       = local.url
  depends_on = [
    google_cloudfunctions2_function.this,
    google_cloud_run_v2_service_iam_member.invoker,
  ]
}
