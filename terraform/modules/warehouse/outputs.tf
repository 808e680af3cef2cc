output "datasets" {
  description = "Data sets kept here."
  value       = toset(keys(google_bigquery_dataset.this))
}
