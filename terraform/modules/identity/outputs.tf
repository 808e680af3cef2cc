output "invoker" {
  description = "Account that delivers to the function; null where nothing does."
  value = var.delivered ? {
    email  = local._invoker
    id     = "projects/${var.project_id}/serviceAccounts/${local._invoker}"
    member = "serviceAccount:${local._invoker}"
  } : null
  depends_on = [google_service_account.invoker]
}

output "runtime" {
  description = "Account the function runs as."
  value = {
    email  = local._runtime
    id     = "projects/${var.project_id}/serviceAccounts/${local._runtime}"
    member = "serviceAccount:${local._runtime}"
  }
  depends_on = [google_service_account.runtime]
}
