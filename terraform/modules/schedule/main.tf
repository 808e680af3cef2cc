# A job of Cloud Scheduler that calls one function.

resource "google_cloud_scheduler_job" "this" {
  project          = var.project_id
  region           = var.region
  name             = var.name
  description      = var.description
  schedule         = var.cron
  time_zone        = var.time_zone
  attempt_deadline = "${max(15, min(1800, var.timeout))}s"

  retry_config {
    # The first attempt is no retry.
    retry_count          = var.attempts - 1
    min_backoff_duration = "30s"
    max_backoff_duration = "300s"
  }

  http_target {
    http_method = "POST"
    uri         = var.url

    oidc_token {
      audience              = var.url
      service_account_email = var.invoker
    }
  }
}
