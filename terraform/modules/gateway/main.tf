# API Gateway: REST routes and verbs to functions, made from triggers/openapi.json.
# It calls functions with its own identity, so none of them is public; callers'
# credentials travel on in X-Forwarded-Authorization and are checked behind it.

locals {
  # Only what routes. Schemas and credentials stay out: the gateway understands
  # OpenAPI 2.0 best, and the functions check both with precise answers.
  _document = jsonencode({
    swagger  = "2.0"
    info     = { title = "Xynergy", version = "1" }
    schemes  = ["https"]
    produces = ["application/json"]
    paths = {
      for path, methods in var.routes : path => {
        # A reader may ask for the headers only, and a browser asks first.
        for method, function in merge(
          lookup(methods, "get", null) == null ? {} : { head = methods["get"] },
          { options = values(methods)[0] },
          methods,
          ) : method => {
          operationId = "${replace(function, "-", "_")}_${method}_${substr(sha256(path), 0, 6)}"
          parameters = [
            for found in regexall("\\{([a-z][a-z0-9_]*)\\}", path) :
            { name = found[0], in = "path", required = true, type = "string" }
          ]
          responses = { default = { description = "Whatever the function answers." } }
          "x-google-backend" = {
            address          = var.backends[function].url
            deadline         = min(600, var.backends[function].timeout)
            jwt_audience     = var.backends[function].url
            path_translation = "APPEND_PATH_TO_ADDRESS"
            protocol         = "h2"
          }
        }
      }
    }
  })
}

resource "google_api_gateway_api" "this" {
  provider = google-beta

  project      = var.project_id
  api_id       = "xynergy"
  display_name = "Xynergy"
}

# A configuration cannot be changed, and a gateway must always have one: the
# name carries the document's hash and the new one comes first.
resource "google_api_gateway_api_config" "this" {
  provider = google-beta

  project       = var.project_id
  api           = google_api_gateway_api.this.api_id
  api_config_id = "routes-${substr(sha256(local._document), 0, 12)}"
  display_name  = "Routes"

  openapi_documents {
    document {
      path     = "openapi.json"
      contents = base64encode(local._document)
    }
  }

  gateway_config {
    backend_config {
      google_service_account = var.account
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_api_gateway_gateway" "this" {
  provider = google-beta

  project      = var.project_id
  region       = var.region
  gateway_id   = "xynergy"
  display_name = "Xynergy"
  api_config   = google_api_gateway_api_config.this.id
}
