output "bucket" {
  description = "Bucket of the exports."
  value       = module.bucket.name
}
