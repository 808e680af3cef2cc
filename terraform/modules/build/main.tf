# What builds the functions' images: an account of its own, apart from what they
# run as, and the repository the images go to.

resource "google_artifact_registry_repository" "images" {

  project       = var.project_id
  location      = var.region
  repository_id = "xynergy-functions"
  description   = "Images of the functions, made by Cloud Functions."
  format        = "DOCKER"

  # Every deployment leaves an image; a rollback builds from the bundle.
  cleanup_policies {
    id     = "keep-recent"
    action = "KEEP"

    most_recent_versions {
      keep_count = 3
    }
  }

  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"

    condition {
      older_than = "2592000s"
    }
  }
}

resource "google_service_account" "build" {
  project      = var.project_id
  account_id   = "xynergy-build"
  display_name = "Builds the functions"
  description  = "Reads bundles, writes images and build logs; never runs a function."
}

resource "google_artifact_registry_repository_iam_member" "writer" {
  project    = var.project_id
  location   = var.region
  repository = google_artifact_registry_repository.images.name
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.build.member
}

resource "google_storage_bucket_iam_member" "bundles" {
  bucket = var.source_bucket
  role   = "roles/storage.objectViewer"
  member = google_service_account.build.member
}

# Cloud Functions copies each bundle into a bucket it makes itself.
resource "google_project_iam_member" "copies" {
  project = var.project_id
  role    = "roles/storage.objectViewer"
  member  = google_service_account.build.member

  condition {
    title       = "copies of bundles"
    description = "Reads the copies that Cloud Functions makes of the bundles, and no other bucket."
    expression = join("", [
      "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-${var.project_number}-\") || ",
      "resource.name.startsWith(\"projects/_/buckets/gcf-v2-uploads-${var.project_number}.\")",
    ])
  }
}

resource "google_project_iam_member" "logs" {
  project = var.project_id
  role    = "roles/logging.logWriter"
  member  = google_service_account.build.member
}
