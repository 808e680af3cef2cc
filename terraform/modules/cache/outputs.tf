output "connector" {
  description = "Way into the network."
  value       = google_vpc_access_connector.this.id
}

output "secret" {
  description = "Secret with the address, once it has a value."
  value       = google_secret_manager_secret.url.secret_id
  depends_on  = [google_secret_manager_secret_version.url]
}
