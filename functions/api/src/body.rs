//! From the bytes of a request to a type, naming every field that is wrong.
//!
//! The good case is one pass of serde. Only when that fails is the body read again and compared with the very
//! schema that the API publishes, so that a customer hears of all mistakes at once.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use http::{StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AdditionalProperties, Object, Schema, SchemaType, Type};

use crate::problem::{Code, FieldError, Problem};

/// Most errors that one answer lists.
const ERRORS_MAX: usize = 100;

/// The bytes of a JSON body, within the limit of the endpoint.
#[derive(Debug)]
pub(crate) struct Raw(pub(crate) Bytes);

impl<S: Send + Sync> FromRequest<S> for Raw {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(&request) {
            return Err(Problem::new(Code::UnsupportedMediaType, "send Content-Type: application/json"));
        }
        Bytes::from_request(request, state).await.map(Self).map_err(|error| refuse(&error))
    }
}

fn is_json(request: &Request) -> bool {
    let Some(kind) = request.headers().get(header::CONTENT_TYPE) else { return true };
    let kind = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json") || kind.is_empty()
}

fn refuse(error: &BytesRejection) -> Problem {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::new(Code::PayloadTooLarge, "the body is larger than this endpoint takes");
    }
    Problem::new(Code::InvalidRequest, "the body could not be read to its end")
}

impl Raw {
    /// Reads the body as `T`.
    pub(crate) fn parse<T: DeserializeOwned + ToSchema>(&self) -> Result<T, Problem> {
        serde_json::from_slice(&self.0).map_err(|_| explain(&self.0, &T::schema()))
    }
}

/// What is wrong with `bytes`, which are not of `schema`.
fn explain(bytes: &[u8], schema: &RefOr<Schema>) -> Problem {
    let value: Value = match serde_json::from_slice(bytes) {
        Ok(value) => value,
        Err(error) => {
            let place = format!("the body is not valid JSON at line {}, column {}", error.line(), error.column());
            return Problem::field("", Code::InvalidRequest, place);
        }
    };
    let mut errors = Vec::new();
    compare(&value, schema, String::new(), &mut errors);
    if errors.is_empty() {
        let twice = "the body is not of the documented form; look for a field that stands in it twice";
        return Problem::field("", Code::InvalidRequest, twice);
    }
    Problem::fields(errors)
}

fn compare(value: &Value, schema: &RefOr<Schema>, pointer: String, errors: &mut Vec<FieldError>) {
    let RefOr::T(schema) = schema else { return };
    if errors.len() >= ERRORS_MAX {
        return;
    }
    match schema {
        Schema::Object(object) => compare_object(value, object, pointer, errors),
        Schema::Array(array) => match value {
            Value::Array(items) => {
                if let utoipa::openapi::schema::ArrayItems::RefOrSchema(schema) = &array.items {
                    for (at, item) in items.iter().enumerate() {
                        compare(item, schema, format!("{pointer}/{at}"), errors);
                    }
                }
            }
            Value::Null if allows(&array.schema_type, value) => {}
            _ => errors.push(FieldError::new(pointer, Code::InvalidRequest, "expected an array")),
        },
        _ => {}
    }
}

fn compare_object(value: &Value, object: &Object, pointer: String, errors: &mut Vec<FieldError>) {
    if !allows(&object.schema_type, value) {
        let detail = format!("expected {}", name(&object.schema_type));
        errors.push(FieldError::new(pointer, Code::InvalidRequest, detail));
        return;
    }
    let Value::Object(fields) = value else {
        compare_choice(value, object, pointer, errors);
        return;
    };
    let open = matches!(
        object.additional_properties.as_deref(),
        Some(AdditionalProperties::RefOr(_) | AdditionalProperties::FreeForm(true))
    );
    for required in object.required.iter().filter(|name| !fields.contains_key(*name)) {
        errors.push(FieldError::new(step(&pointer, required), Code::InvalidRequest, "is required"));
    }
    for (name, value) in fields {
        match object.properties.get(name) {
            Some(schema) => compare(value, schema, step(&pointer, name), errors),
            None if open || object.properties.is_empty() => {}
            None => errors.push(FieldError::new(step(&pointer, name), Code::UnknownField, "this field is not known")),
        }
    }
}

fn compare_choice(value: &Value, object: &Object, pointer: String, errors: &mut Vec<FieldError>) {
    if let Some(choices) = &object.enum_values
        && !value.is_null()
        && !choices.contains(value)
    {
        let names: Vec<&str> = choices.iter().filter_map(Value::as_str).collect();
        let detail = format!("expected one of {}", names.join(", "));
        errors.push(FieldError::new(pointer, Code::InvalidRequest, detail));
    } else if value.is_i64() && value.as_i64() < Some(0) && object.minimum.is_some() {
        errors.push(FieldError::new(pointer, Code::InvalidRequest, "expected a whole number that is not negative"));
    }
}

/// One step of a JSON pointer, escaped (RFC 6901 section 3). A name that a stranger chose is cut.
fn step(pointer: &str, name: &str) -> String {
    let name: String = name.chars().take(64).collect();
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

fn types(schema: &SchemaType) -> &[Type] {
    match schema {
        SchemaType::Type(only) => std::slice::from_ref(only),
        SchemaType::Array(many) => many,
        SchemaType::AnyValue => &[],
    }
}

fn allows(schema: &SchemaType, value: &Value) -> bool {
    let is = |kind: &Type| match kind {
        Type::Object => value.is_object(),
        Type::String => value.is_string(),
        Type::Integer => value.is_i64() || value.is_u64(),
        Type::Number => value.is_number(),
        Type::Boolean => value.is_boolean(),
        Type::Array => value.is_array(),
        Type::Null => value.is_null(),
    };
    let types = types(schema);
    types.is_empty() || types.iter().any(is)
}

fn name(schema: &SchemaType) -> &'static str {
    match types(schema).iter().find(|kind| **kind != Type::Null) {
        Some(Type::Object) => "an object",
        Some(Type::String) => "a string",
        Some(Type::Integer) => "a whole number",
        Some(Type::Number) => "a number",
        Some(Type::Boolean) => "true or false",
        Some(Type::Array) => "an array",
        Some(Type::Null) | None => "another value",
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "read by serde only")]
    struct Item {
        name: String,
        count: Option<u32>,
    }

    #[derive(Debug, Deserialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "read by serde only")]
    struct Order {
        price: String,
        #[schema(inline)]
        items: Vec<Item>,
        #[schema(value_type = Option<Object>, additional_properties)]
        metadata: Option<serde_json::Map<String, Value>>,
    }

    fn refused(body: &str) -> Vec<(String, &'static str)> {
        let problem = Raw(Bytes::copy_from_slice(body.as_bytes())).parse::<Order>().unwrap_err();
        problem.errors().iter().map(|e| (e.pointer.clone(), e.code.name())).collect()
    }

    #[test]
    fn every_wrong_field_is_named() {
        let rows: [(&str, &[(&str, &str)]); 9] = [
            ("{", &[("", "invalid_request")]),
            ("[]", &[("", "invalid_request")]),
            ("{}", &[("/price", "invalid_request"), ("/items", "invalid_request")]),
            (r#"{"price":1.5,"items":[]}"#, &[("/price", "invalid_request")]),
            (r#"{"price":"1","items":[],"a/b":1}"#, &[("/a~1b", "unknown_field")]),
            (r#"{"price":"1","items":{}}"#, &[("/items", "invalid_request")]),
            (
                r#"{"price":"1","items":[{"name":"a"},{"name":1,"count":"2","x":0}]}"#,
                &[
                    ("/items/1/count", "invalid_request"),
                    ("/items/1/name", "invalid_request"),
                    ("/items/1/x", "unknown_field"),
                ],
            ),
            (r#"{"price":"1","items":[],"metadata":[]}"#, &[("/metadata", "invalid_request")]),
            (r#"{"price":"1","price":"1","items":[]}"#, &[("", "invalid_request")]),
        ];
        for (body, expected) in rows {
            let expected: Vec<_> = expected.iter().map(|(p, c)| ((*p).to_owned(), *c)).collect();
            assert_eq!(refused(body), expected, "{body}");
        }
    }

    #[test]
    fn good_bodies_pass() {
        let body = br#"{"price":"1","items":[{"name":"a","count":null}],"metadata":{"any":{"thing":1}}}"#;
        assert!(Raw(Bytes::from_static(body)).parse::<Order>().is_ok());
    }
}
