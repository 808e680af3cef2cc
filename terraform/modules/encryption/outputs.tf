output "key" {
  description = "Full name of the key, once it exists."
  value       = google_kms_crypto_key.tenants.id
}
