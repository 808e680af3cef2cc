# A push to the branch runs terraform/cloudbuild.yaml as an account that was
# made by hand: it may grant rights, and so must not come from here.

resource "google_cloudbuild_trigger" "deploy" {
  project         = var.project_id
  location        = var.region
  name            = "xynergy-deploy"
  description     = "Tests, plans, deploys and shifts traffic; goes back on any failure."
  filename        = "terraform/cloudbuild.yaml"
  service_account = "projects/${var.project_id}/serviceAccounts/${var.account}"

  # Sources of documentation alone deploy nothing.
  ignored_files = ["**/*.md"]

  substitutions = {
    _ACCOUNT      = var.account
    _PREFIX       = var.environment
    _STATE_BUCKET = var.state_bucket
    _VAR_FILE     = var.var_file
  }

  repository_event_config {
    repository = var.repository

    push {
      branch = var.branch
    }
  }

  approval_config {
    approval_required = var.approval
  }
}
