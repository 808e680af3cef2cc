output "trigger" {
  description = "Name of the build trigger."
  value       = google_cloudbuild_trigger.deploy.name
}
