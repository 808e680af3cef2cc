terraform {
  # Validation of one variable against another came with 1.9.
  required_version = ">= 1.9"

  # The bucket and prefix are given to `terraform init` (see README.md): one
  # configuration serves every environment, and states never mix.
  backend "gcs" {}

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 6.50"
    }
    # API Gateway and service agents exist in the beta provider only.
    google-beta = {
      source  = "hashicorp/google-beta"
      version = "~> 6.50"
    }
  }
}

provider "google" {
  project        = var.project_id
  region         = var.region
  default_labels = local.labels

  # Budgets are billed to a project of ours and not to the caller's.
  billing_project       = var.project_id
  user_project_override = true
}

provider "google-beta" {
  project        = var.project_id
  region         = var.region
  default_labels = local.labels
}
