output "name" {
  description = "Secret id, once the secret exists."
  value       = google_secret_manager_secret.this.secret_id
}
